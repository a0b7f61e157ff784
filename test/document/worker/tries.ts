/** How the routes of documents are tried for docs/access.md: each at a new document, with the rule and owner of the test. */
import { type Call, unique } from "../../worker/helpers.ts";
import { askAsAdmin, type Tries, type Try } from "../../worker/tries.ts";

/** What the tests' rules are here. */
const LEVELS: Readonly<Record<string, object>> = {
  public: { anyone: "write" },
  users: { users: "write" },
  members: { users: "none" },
};

const at =
  (path: string, call: Call & { missing?: true } = {}): Try =>
  async (owner, rule) => {
    const document = `/document/${unique()}`;
    await askAsAdmin(`${document}/access`, { method: "PUT", json: { ...LEVELS[rule], owner } });
    return { path: document + path, ...call };
  };

export const tries: Tries = {
  "GET /document/:id": at(""),
  "POST /document/:id": at("", { json: "\0\0", headers: { "Content-Type": "application/octet-stream" } }),
  "DELETE /document/:id": at("", { method: "DELETE" }),
  "GET /document/:id/versions": at("/versions"),
  // A new document has nothing to keep, and so no versions.
  "POST /document/:id/versions": at("/versions", { json: { name: "first" }, missing: true }),
  "GET /document/:id/versions/:version": at("/versions/1", { missing: true }),
  "DELETE /document/:id/versions/:version": at("/versions/1", { method: "DELETE", missing: true }),
  "POST /document/:id/restore": at("/restore", { json: { version: 1 }, missing: true }),
  "GET /document/:id/access": at("/access"),
  "PUT /document/:id/access": at("/access", { method: "PUT", json: { anyone: "read" } }),
  "PUT /document/:id/people/:userId": at("/people/eve", { method: "PUT", json: { level: "read" } }),
  "DELETE /document/:id/people/:userId": at("/people/eve", { method: "DELETE" }),
};
