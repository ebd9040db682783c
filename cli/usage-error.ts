/** The arguments or settings can't be used: the message says what to do, and nothing was done. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
  /** Whether the command's help would help. */
  readonly seeHelp: boolean;

  constructor(message: string, { seeHelp = true } = {}) {
    super(message);
    this.seeHelp = seeHelp;
  }
}
