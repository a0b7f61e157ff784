/** What the OpenAPI document says of the ledgers, as generators of clients read it. */
import { beforeAll, expect, it } from "vitest";
import { call } from "../../worker/helpers.ts";

const WHOLE = { type: "integer", format: "int64" };
const MOMENT = { ...WHOLE, description: "ms since the epoch" };

let document: unknown;
beforeAll(async () => {
  document = (await call("/openapi.json")).body;
});

const says = (path: string, method: string, operation: object) =>
  expect(document).toMatchObject({ paths: { [path]: { [method]: operation } } });

it("amounts, balances and times are 64-bit integers, with their units", () => {
  const properties = { amount: WHOLE, timestamp: MOMENT, settledAt: MOMENT, balances: { additionalProperties: WHOLE } };
  const answer = { content: { "application/json": { schema: { properties } } } };
  says("/account/{ledger}/transfers/{id}", "get", { responses: { 200: answer } });
});

it("a payment needs a body, and a reversal does not", () => {
  says("/account/{ledger}/transfer", "post", { requestBody: { required: true } });
  says("/account/{ledger}/transfers/{id}/reverse", "post", { requestBody: { required: false } });
});

it("the size of a page is a number", () => {
  const limit = {
    name: "limit",
    in: "query",
    schema: { type: "integer", format: "int32", minimum: 1, maximum: 200, default: 50 },
  };
  says("/account/{ledger}/transactions", "get", {
    parameters: expect.arrayContaining([expect.objectContaining(limit)]),
  });
});

it("ids and cursors are texts, as answers have them", () => {
  const text = (name: string) => expect.objectContaining({ name, schema: expect.objectContaining({ type: "string" }) });
  says("/account/{ledger}/transfers/{id}", "get", { parameters: expect.arrayContaining([text("id")]) });
  says("/account/{ledger}/transactions", "get", { parameters: expect.arrayContaining([text("cursor")]) });
});
