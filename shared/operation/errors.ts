export interface OperationErrorOptions {
  /** Whether another delivery of the same message may succeed. */
  readonly retryable?: boolean;
  /** What helps to understand or mend it: problems with their paths, statements to run. Never a secret. */
  readonly details?: Readonly<Record<string, unknown>>;
  readonly cause?: unknown;
}

/**
 * The one error of Drover. Its `code` is stable: alerts, runbook and publishers rely on it (docs/operations.md has
 * an entry for each). Its message is for people and says what to do.
 */
export class OperationError extends Error {
  override readonly name = 'OperationError';
  readonly code: string;
  readonly retryable: boolean;
  readonly details: Readonly<Record<string, unknown>> | undefined;

  constructor(code: string, message: string, options: OperationErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.retryable = options.retryable ?? false;
    this.details = options.details;
  }
}
