/** The page of the account: what is there, for a person, without a token and without a secret. */
import { request } from "node:http";
import { expect, it } from "vitest";
import { account, live } from "./support.ts";

function page(port: number, host: string): Promise<{ status: number; text: string }> {
  return new Promise((resolve, reject) => {
    request({ host: "127.0.0.1", port, path: "/", headers: { host } }, (response) => {
      let text = "";
      response.on("data", (chunk) => {
        text += chunk;
      });
      response.on("end", () => resolve({ status: response.statusCode ?? 0, text }));
    })
      .on("error", reject)
      .end();
  });
}

it("shows Workers, traffic, namespaces, history and calls, and escapes what clients said", async () => {
  const test = await account();
  const { apiPort, token } = test.running;
  await test.deploy("app", {
    classes: ["Room"],
    bound: ["Room"],
    exports: live("Room"),
    bindings: [{ type: "secret_text", name: "TOKEN", text: "hush-hush" }],
    annotations: { "workers/message": "<script>alert(1)</script>" },
  });
  await test.ask("app", "/Room/x");
  const { status, text } = await page(apiPort, `localhost:${apiPort}`);
  expect(status).toBe(200);
  for (const shown of ["app", "100 %", "Room", "+ Room", "POST /accounts/"]) expect(text).toContain(shown);
  expect(text).toContain("&lt;script&gt;");
  for (const hidden of ["<script>", "hush-hush", token]) expect(text).not.toContain(hidden);
  expect((await page(apiPort, "rebound.example.com")).status).toBe(403);
});
