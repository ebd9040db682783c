import { grpcStatus } from './status.ts';

/**
 * How calls by a gRPC client are repeated. The libraries would do it for minutes, or not at all: a message is delivered
 * again anyway. A call that may have been done is repeated only where doing it twice is doing it once.
 */
const backoffSettings = {
  initialRetryDelayMillis: 100,
  retryDelayMultiplier: 2,
  maxRetryDelayMillis: 2_000,
  initialRpcTimeoutMillis: 10_000,
  rpcTimeoutMultiplier: 1,
  maxRpcTimeoutMillis: 10_000,
  totalTimeoutMillis: 8_000,
};

/** Options of a call that may be done twice. */
export const repeatable = {
  retry: { retryCodes: [grpcStatus.UNAVAILABLE, grpcStatus.RESOURCE_EXHAUSTED], backoffSettings },
};

/** Options of one that may not: what a quota refuses was not done. */
export const once = { retry: { retryCodes: [grpcStatus.RESOURCE_EXHAUSTED], backoffSettings } };
