/** The environment of a user's shell. */

/** What npm, vitest, git (for its hooks) and this project's scripts add for the processes that they start. */
const ADDED =
  /^(npm_(?!config_)|npm_config_(loglevel|(local_)?prefix)$|VITEST|NODE_ENV$|TEST$|INIT_CWD$|PULUMI_|DURABLE_STACK_|GIT_(DIR|WORK_TREE|INDEX_FILE|PREFIX|COMMON_DIR)$)/;

/** By it git takes a folder for another user's, whatever this machine's settings say of it. */
export const ANOTHER_OWNER = {
  GIT_TEST_ASSUME_DIFFERENT_OWNER: "1",
  // Without a `safe.directory` of this machine.
  GIT_CONFIG_GLOBAL: "/dev/null",
  GIT_CONFIG_NOSYSTEM: "1",
};

/**
 * This process's environment as it was before `npm run -s test` began. Without this a command prints less under
 * `npm run -s` than it does for a user: npm hands its log level down.
 */
export function userEnvironment(): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !ADDED.test(name)));
}
