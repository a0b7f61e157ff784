/**
 * The commands by which a person moves the traffic of a stack, or sees where it is, as they are printed. `dir`: the folder
 * of the local account, where that is known; a line without it is for the default one.
 */
import { dirOption } from "../apply/hints.ts";
import { LOCAL } from "./project.ts";

const folder = (stack: string, dir: string | undefined): string =>
  stack === LOCAL && dir !== undefined ? dirOption(dir) : "";

/** Begins a rollout, or goes on with it. */
export const goOnLine = (stack: string, dir?: string): string =>
  `npm run rollout -- run --stack ${stack}${folder(stack, dir)}`;

/** Ends a rollout: the stable version has all traffic again. */
export const abandonLine = (stack: string, dir?: string): string =>
  `npm run rollout -- abandon --stack ${stack}${folder(stack, dir)}`;

/** Gives a release all traffic that is rolled out. */
export const wholeLine = (stack: string, dir?: string): string =>
  `npm run rollout -- set 100 --stack ${stack}${folder(stack, dir)}`;

/** Says what serves. */
export const seeStatusLine = (stack: string, dir?: string): string =>
  `npm run rollout -- status --stack ${stack}${folder(stack, dir)}`;

/** Sends all traffic back to what had it before. */
export const backLine = (stack: string, dir?: string): string =>
  `npm run rollback -- --stack ${stack}${folder(stack, dir)}`;

/** Sends all traffic to the version of this number. */
export const backToLine = (stack: string, to: number, dir?: string): string =>
  `npm run rollback -- --stack ${stack}${folder(stack, dir)} --to ${to}`;

/** Ends a pin. */
export const unpinLine = (stack: string, dir?: string): string =>
  `npm run rollback -- --stack ${stack}${folder(stack, dir)} --unpin`;

/** Lists the versions, and which of them can serve. */
export const listLine = (stack: string, dir?: string): string =>
  `npm run rollback -- --stack ${stack}${folder(stack, dir)} --list`;
