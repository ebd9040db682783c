import type { AccessRequest } from '../../shared/operation/policy.ts';
import type { CreateSchemaMessage } from './message.ts';

/** What a message asks for. */
export function access({
  target,
  schema,
  owner,
  levels,
  adopt,
  lockDatabase,
}: CreateSchemaMessage): AccessRequest {
  return {
    target,
    schema,
    reaches: lockDatabase ? 'database' : undefined,
    levels: owner === undefined ? levels : ['owner', ...levels],
    principals: owner === undefined ? [] : [owner],
    actions: [...(adopt ? ['adopt'] : []), ...(lockDatabase ? ['lockDatabase'] : [])],
  };
}
