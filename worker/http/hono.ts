/**
 * Hono with our router alone. The class of the package brings three, of which the others would be 4 KiB of every
 * Worker, and be set up at each cold start.
 */
import { HonoBase } from "hono/hono-base";
import type { App } from "./context.ts";
import { Router } from "./router.ts";

/** An app, or a pattern's routes. */
export class Hono extends HonoBase<App> {
  constructor() {
    super();
    this.router = new Router();
  }
}
