/** The stand-in's client repeats requests like the provider's, only faster. */
import grpc from "@grpc/grpc-js";
import services from "@pulumi/pulumi/proto/provider_grpc_pb.js";
import provider from "@pulumi/pulumi/proto/provider_pb.js";
import { describe, expect, it } from "vitest";
import { ApiError } from "../../infra/provider/api.ts";
import { ProviderClient } from "../engine/plugin/client.ts";
import { serve } from "../engine/plugin/server.ts";

/** A client that gets these answers in turn, the last one for ever; and the waits between. */
function clientOf(...answers: readonly (Response | Error)[]) {
  const waits: number[] = [];
  let asked = 0;
  const client = new ProviderClient(
    { baseUrl: "http://api.test/client/v4", token: "token" },
    async (milliseconds) => {
      waits.push(milliseconds);
    },
    {
      fetch: async () => {
        const answer = answers[Math.min(asked++, answers.length - 1)] ?? Response.json({ result: {} });
        if (answer instanceof Error) throw answer;
        return answer.clone();
      },
    },
  );
  return { client, waits, asked: () => asked };
}

const refused = (status: number, headers: Record<string, string> = {}) =>
  Response.json({ errors: [{ code: 1, message: "no" }] }, { status, headers });

describe("what is refused for a time", () => {
  it.each([408, 409, 429, 500, 503])("is sent eleven times while the answer is %s, then fails", async (status) => {
    const { client, waits, asked } = clientOf(refused(status));
    await expect(client.post("/x", {})).rejects.toThrow(ApiError);
    expect(asked()).toBe(11);
    const sum = waits.reduce((total, wait) => total + wait, 0) / 1000;
    expect(sum).toBeGreaterThanOrEqual(157.5);
    expect(sum).toBeLessThanOrEqual(210);
  });

  it.each(["get", "post", "put", "patch", "remove"] as const)("is sent again by %s", async (method) => {
    const { client, asked } = clientOf(refused(503), Response.json({ result: {} }));
    await client[method]("/x", {});
    expect(asked()).toBe(2);
  });

  it("includes a broken connection, and a wait that the answer asks for is kept", async () => {
    const broken = clientOf(new TypeError("fetch failed"), Response.json({ result: {} }));
    await broken.client.post("/x", {});
    expect(broken.asked()).toBe(2);
    const asking = clientOf(refused(429, { "retry-after": "7" }), Response.json({ result: {} }));
    await asking.client.post("/x", {});
    expect(asking.waits).toEqual([7000]);
    const not = clientOf(refused(500, { "x-should-retry": "false" }));
    await expect(not.client.post("/x", {})).rejects.toThrow(ApiError);
    expect(not.asked()).toBe(1);
  });
});

it("a final refusal fails at once", async () => {
  const { client, asked } = clientOf(refused(400));
  await expect(client.put("/x", {})).rejects.toThrow(/answered 400/);
  expect(asked()).toBe(1);
});

it("deleting a missing resource fails, and reading it says that it is gone", async () => {
  const { client, asked } = clientOf(refused(404));
  await expect(client.remove("/x")).rejects.toThrow(/answered 404/);
  expect(await client.find("/x")).toBeUndefined();
  expect(asked()).toBe(2);
});

it("the stand-in refuses an invalid configured token like the provider, but not one of the environment", async () => {
  const port = await serve("0.0.0", ".");
  const client = new services.ResourceProviderClient(`127.0.0.1:${port}`, grpc.credentials.createInsecure());
  const configure = (token: string | undefined) => {
    const request = new provider.ConfigureRequest();
    if (token !== undefined) request.getVariablesMap().set("cloudflare:config:apiToken", token);
    const { promise, resolve } = Promise.withResolvers<string>();
    client.configure(request, (error: Error | null) => resolve(error?.message ?? "taken"));
    return promise;
  };
  expect(await configure("a".repeat(38))).toContain("must only contain characters");
  expect(await configure(`${"a".repeat(40)}.`)).toContain("must only contain characters");
  expect(await configure("a".repeat(40))).toBe("taken");
  expect(await configure(undefined)).toBe("taken");
  client.close();
});
