import { DurableObject } from "cloudflare:workers";

export class CounterDO extends DurableObject<Env> {}
