import type { Message } from '../grpc/server.ts';
import { requireSupportedBy } from '../grpc/supported-fields.ts';

/** Refuses a request that sets a field which this server would not honour. @throws UNIMPLEMENTED */
export function requireSupported(message: Message, supported: readonly string[]): void {
  requireSupportedBy('Secret Manager', message, supported);
}
