/**
 * The step of the workflows that logs in to Pulumi Cloud without a stored token: its own lines with the real CLI, and a
 * server here that is GitHub's for identities and Pulumi Cloud.
 */
import { existsSync, readFileSync } from "node:fs";
import { createServer, type IncomingMessage, type Server } from "node:http";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { afterEach, beforeEach, expect, it } from "vitest";
import { listening } from "../../packages/local-account/test/listening.ts";
import { ProjectCopy } from "../project-copy.ts";
import { Ground } from "./ground.ts";
import { Workflow } from "./workflow.ts";

let server: Server;
let origin: string;
let ground: Ground;
let copy: ProjectCopy;
/** What was asked: method, path, and what matters of the rest. */
let asked: string[];

beforeEach(async () => {
  asked = [];
  server = createServer(async (request, response) => {
    const answer = await answerTo(request);
    response.writeHead(answer === undefined ? 404 : 200, { "content-type": "application/json" });
    response.end(JSON.stringify(answer ?? { code: 404, message: "not here" }));
  });
  origin = `http://127.0.0.1:${await listening(server)}`;
  ground = await Ground.make();
  copy = new ProjectCopy();
});
afterEach(() => {
  server?.close();
  copy?.remove();
  ground?.remove();
});

async function answerTo(request: IncomingMessage): Promise<unknown> {
  const url = new URL(request.url ?? "", origin);
  const body = await text(request);
  switch (`${request.method} ${url.pathname}`) {
    case "GET /identity":
      asked.push(`identity for ${url.searchParams.get("audience")}, by ${request.headers.authorization}`);
      return { value: "eyJhbGciOiJub25lIn0.eyJzdWIiOiJ0aGlzLXJ1biJ9.c2lnbmVk" };
    case "POST /api/oauth/token":
      asked.push(`exchange ${decodeURIComponent(body)}`);
      return { access_token: "pul-short-lived", expires_in: 7200, token_type: "token", scope: "" };
    case "GET /api/user":
      asked.push(`user, by ${request.headers.authorization}`);
      return { id: "1", githubLogin: "acme", name: "acme", organizations: [{ githubLogin: "acme", name: "acme" }] };
    default:
      return undefined;
  }
}

/** Runs the step with these repository variables. */
async function logIn(vars: Readonly<Record<string, string>>) {
  const temp = ground.folder("temp");
  const ended = await new Workflow("rotate.yml").job("rotate", {
    place: {
      run: (command, env) =>
        command.includes("pulumi login")
          ? copy.run(...ground.command(copy, command, env))
          : Promise.resolve({ code: 0, text: "" }),
      start: () => {
        throw new Error("nothing is killed here");
      },
    },
    meaning: (expression) => vars[expression],
    env: {
      RUNNER_TEMP: temp,
      ACTIONS_ID_TOKEN_REQUEST_URL: `${origin}/identity?of=this-run`,
      ACTIONS_ID_TOKEN_REQUEST_TOKEN: "ask-with-this",
    },
  });
  return { ended, leftBehind: existsSync(join(temp, "id-token")) };
}

it("takes the identity of the run for a token of the organization, and leaves the identity nowhere", async () => {
  const { ended, leftBehind } = await logIn({ "vars.PULUMI_ORG": "acme", "vars.PULUMI_BACKEND_URL": origin });
  expect(ended, ended.text).toMatchObject({ ok: true });
  expect(asked[0]).toBe("identity for urn:pulumi:org:acme, by Bearer ask-with-this");
  expect(asked[1]).toMatch(
    /^exchange .*audience=urn:pulumi:org:acme.*subject_token=eyJhbGciOiJub25lIn0.eyJzdWIiOiJ0aGlzLXJ1biJ9.c2lnbmVk/,
  );
  expect(asked[2]).toBe("user, by token pul-short-lived");
  expect(leftBehind).toBe(false);
  expect(readFileSync(join(ground.home, "credentials.json"), "utf8")).toContain("pul-short-lived");
});

it("asks nobody where the state is elsewhere", async () => {
  const { ended } = await logIn({ "vars.PULUMI_BACKEND_URL": ground.backendUrl });
  expect(ended, ended.text).toMatchObject({ ok: true });
  expect(asked).toEqual([]);
});
