import { Hono } from "hono";
import type { App } from "../app.ts";

export const account = new Hono<App>();
