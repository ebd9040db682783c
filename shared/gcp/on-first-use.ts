/** A client of this process. */
export interface OnFirstUse<Client> {
  /** Opens it, or gives the one that is open. */
  readonly get: () => Promise<Client>;
  /** Closes its connections, if there are any. */
  readonly close: () => Promise<void>;
}

/** A client that is loaded and opened when it is first needed; an attempt that failed is made again. */
export function onFirstUse<Client extends { close(): Promise<void> }>(
  open: () => Promise<Client>,
): OnFirstUse<Client> {
  let opening: Promise<Client> | undefined;
  return {
    get() {
      opening ??= open().catch((error: unknown) => {
        opening = undefined;
        throw error;
      });
      return opening;
    },
    async close() {
      const closing = opening;
      opening = undefined;
      await (await closing)?.close();
    },
  };
}
