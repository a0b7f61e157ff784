import { Hono } from "hono";
import type { App } from "../app.ts";

export const counter = new Hono<App>();
