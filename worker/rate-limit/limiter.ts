import { DurableObject } from "cloudflare:workers";

export class RateLimiterDO extends DurableObject<Env> {}
