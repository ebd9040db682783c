import type * as z from 'zod';
import { bootstrapTenantMessage } from '../../functions/bootstrap-tenant/message.ts';
import { sendableFunction } from '../sendable.ts';
import { type Message, messageTo } from '../sending.ts';
import { UsageError } from '../usage-error.ts';

export type TenantContent = z.input<typeof bootstrapTenantMessage>;

/** Where on the command line a message's fields come from. */
const options: Readonly<Record<string, string>> = {
  displayName: '--display-name',
  contact: '--contact',
  plan: '--plan',
  'target.instance': '--instance',
  'target.database': '--database',
  region: '--region',
  restore: '--archive',
};

/**
 * A message to the function that takes care of tenants.
 *
 * @throws UsageError where the function would refuse it
 */
export function tenantMessage(content: TenantContent, attributes: Message['attributes']): Message {
  const { error } = bootstrapTenantMessage.safeParse(content);
  const problems = error?.issues.map((issue) => {
    const path = issue.path.join('.');
    return `${options[path] ?? path}: ${issue.message}`;
  });
  if (problems) throw new UsageError(problems.join('\n'));
  return messageTo(sendableFunction('bootstrap-tenant'), Buffer.from(JSON.stringify(content)), attributes);
}
