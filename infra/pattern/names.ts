/** What a new pattern's parts are called, all of it after its folder. */

/** At most as long as the name of a rate limiter's policy. */
const MAX_LENGTH = 31;

export interface Names {
  /** `job-queue`: the folder, the middle of its objects' names, its path and its policy. */
  readonly folder: string;
  /** `jobQueue`: in code. */
  readonly variable: string;
  /** `JobQueueDO`: the class. */
  readonly className: string;
  /** `JOB_QUEUE`: the binding. */
  readonly binding: string;
  /** `Job queue`: for people. */
  readonly title: string;
}

const capital = (word: string) => word.slice(0, 1).toUpperCase() + word.slice(1);

/** The names of a pattern. */
export function namesOf(folder: string): Names {
  const words = folder.split("-");
  const pascal = words.map(capital).join("");
  return {
    folder,
    variable: pascal.slice(0, 1).toLowerCase() + pascal.slice(1),
    className: `${pascal}DO`,
    binding: folder.replaceAll("-", "_").toUpperCase(),
    title: capital(words.join(" ")),
  };
}

/** Why a name cannot be a folder's, a path's and a constant's at once; undefined where it can. */
export function unfit(folder: string): string | undefined {
  if (!/^[a-z][a-z0-9]*(-[a-z][a-z0-9]*)*$/.test(folder)) {
    return "use small letters and digits, with hyphens between words that begin with a letter (job-queue)";
  }
  return folder.length > MAX_LENGTH ? `it is longer than ${MAX_LENGTH} characters` : undefined;
}
