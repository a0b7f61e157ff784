/** What the program tells the Worker, as bindings: contract/ says what each holds. */
import * as v from "valibot";
import type { Told } from "../../contract/bindings.ts";
import { Settings as WorkerSettings } from "../../contract/settings.ts";
import type { PublicSettings } from "./config.ts";

/** A binding of type `json`. */
export const jsonBinding = <Name extends keyof Told>(name: Name, value: Told[Name]) => ({
  type: "json" as const,
  name,
  json: JSON.stringify(value),
});

/** The stack's region table. */
export const regionTable = ({ environmentPrefix, homeRegion, regions }: PublicSettings): Told["REGIONS"] => ({
  environmentPrefix,
  home: homeRegion,
  regions,
});

/** Of the stack's settings, those that are the Worker's too. */
export const workerSettings = (settings: PublicSettings): Told["SETTINGS"] =>
  v.parse(WorkerSettings, { ...settings, environment: settings.stack });
