/** Requests to the page of an account, like a browser's. */
import { request } from "node:http";
import { expect } from "vitest";
import type { TestAccount } from "./support.ts";

interface Got {
  readonly status: number;
  readonly text: string;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
}

/** A request to the API's port, under any `Host`. */
export function get(port: number, path: string, headers: Readonly<Record<string, string>> = {}): Promise<Got> {
  return new Promise((resolve, reject) => {
    const sent = { host: `localhost:${port}`, ...headers };
    request({ host: "127.0.0.1", port, path, headers: sent }, (response) => {
      let text = "";
      response.on("data", (chunk) => {
        text += chunk;
      });
      response.on("end", () => resolve({ status: response.statusCode ?? 0, text, headers: response.headers }));
    })
      .on("error", reject)
      .end();
  });
}

/** The page's data, as JSON. */
export async function data(test: TestAccount, path: string) {
  const { status, text } = await get(test.running.apiPort, `/data/${path}`);
  expect(status, text).toBe(200);
  return JSON.parse(text);
}
