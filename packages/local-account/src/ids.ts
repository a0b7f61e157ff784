/** Ids in Cloudflare's forms. */
import { createHash, randomBytes, randomUUID } from "node:crypto";

/** 32 hexadecimal digits: accounts, Workers, namespaces, routes, zones. */
export const newTag = () => randomBytes(16).toString("hex");

/** A UUID: versions and deployments. */
export const newUuid = () => randomUUID();

/** The SHA-256 of some bytes in hexadecimal. The contents of modules are stored under it. */
export const digest = (bytes: Uint8Array | string) => createHash("sha256").update(bytes).digest("hex");

/** 32 digits that follow from a name, so that a zone has the same id in every account. */
export const tagOf = (name: string) => digest(name).slice(0, 32);
