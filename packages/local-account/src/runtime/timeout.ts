/** Resolves after a time. Does not keep the process alive. */
export const timeout = (milliseconds: number) =>
  new Promise<void>((resolve) => {
    setTimeout(resolve, milliseconds).unref();
  });
