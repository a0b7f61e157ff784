import { Hono } from "hono";
import type { App } from "../app.ts";

export const session = new Hono<App>();
