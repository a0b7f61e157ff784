/** The keys for the S3 endpoint of the account's buckets (api/s3.ts). */
import { createHash } from "node:crypto";
import type { Identity } from "../model.ts";

/** As at Cloudflare: the id of the API token, and the SHA-256 of the token. */
export const s3Credentials = ({ accountId, token }: Pick<Identity, "accountId" | "token">) => ({
  accessKeyId: accountId,
  secretAccessKey: createHash("sha256").update(token).digest("hex"),
});
