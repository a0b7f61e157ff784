/** The admin token of a local account, for whoever asks a Worker there by its address. */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, expect, it } from "vitest";
import { localAdminToken } from "../../infra/stack/local-token.ts";
import { scratch } from "../scratch.ts";

const root = scratch();
const TOKEN = "local-0123456789abcdef0123456789abcdef";

beforeAll(() => {
  const folder = join(root, ".local");
  mkdirSync(folder);
  const address = { apiUrl: "http://127.0.0.1:8788/client/v4", accountId: "a", token: "t", port: 8787 };
  writeFileSync(join(folder, "account.json"), JSON.stringify({ ...address, pid: process.pid }));
  writeFileSync(join(folder, "started-from"), root);
  writeFileSync(join(folder, "admin-token"), `${TOKEN}\n`);
});

it.each(["http://127.0.0.1:8787", "http://localhost:8787", "http://shop.local.localhost:8787"])(
  "is known where the running account answers: %s",
  (url) => expect(localAdminToken(new URL(url), root)).toEqual({ token: TOKEN, folder: ".local" }),
);

it.each(["http://127.0.0.1:8789", "http://127.0.0.1", "https://shop.example.com:8787"])(
  "is shown to nobody else: %s",
  (url) => expect(localAdminToken(new URL(url), root)).toBeUndefined(),
);
