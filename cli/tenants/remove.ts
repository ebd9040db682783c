import type { TenantRecord } from '../../shared/registry/tenants/model.ts';
import { confirmationOf } from '../../shared/registry/tenants/store.ts';
import { choiceOption, parseArguments, waitingTimeMs } from '../arguments.ts';
import { withCloud } from '../cloud.ts';
import type { Command, Options } from '../command.ts';
import {
  attributesOf,
  messageOptions,
  sendAndWait,
  sendOnly,
  waitingExitCodes,
  waitingOptions,
  waitUnlessTold,
} from '../sending.ts';
import { UsageError } from '../usage-error.ts';
import { tenantMessage } from './message.ts';
import { findTenant, readTenantId } from './record.ts';

const options = {
  confirm: {
    type: 'string',
    placeholder: 'VALUE',
    about: 'what `drover tenants show` says; a dry run needs none',
  },
  archive: {
    type: 'boolean',
    default: true,
    about: 'archive its database or schema first: the default; with --no-archive the content is lost',
  },
  'allow-incomplete': {
    type: 'boolean',
    about: 'archive what can be described, although the rest is lost',
  },
  dataset: {
    type: 'string',
    placeholder: 'export|keep|delete',
    about: 'what becomes of its dataset; the default is to export it, then delete it',
  },
  storage: {
    type: 'string',
    placeholder: 'archive|keep|delete',
    about: 'what becomes of its objects; the default is to archive them, then delete them',
  },
  ...messageOptions,
  wait: waitUnlessTold,
  ...waitingOptions,
} as const satisfies Options;

/** `drover tenants remove` */
export const removeTenantCommand: Command = {
  name: 'tenants remove',
  usage: 'TENANT --confirm VALUE [options]',
  summary: 'archive a tenant and delete what it has',
  description: [
    'Its logins are shut out, everything is archived, and only when that is safe it is deleted. What fails is gone',
    'on with when the operation is replayed; nothing of a removal is taken back.',
    '',
    ...waitingExitCodes,
  ].join('\n'),
  options,
  examples: [
    'tenants remove acme --dry-run',
    'tenants remove acme --confirm acme-1f0c93ab --dataset keep --timeout 600',
  ],
  async run(args) {
    const { values, positionals } = parseArguments(options, args, ['TENANT']);
    const { confirm, archive, 'dry-run': dryRun = false, wait, json = false } = values;
    const id = readTenantId(positionals[0]);
    const dataset = choiceOption('dataset', values.dataset, ['export', 'keep', 'delete']);
    const storage = choiceOption('storage', values.storage, ['archive', 'keep', 'delete']);
    const timeoutMs = waitingTimeMs(values.timeout);
    const attributes = attributesOf(values);
    if (confirm === undefined && !dryRun) throw unconfirmed(id, 'is missing');
    return withCloud(['Firestore', 'Pub/Sub'], async () => {
      const content = {
        scope: 'remove',
        tenant: id,
        confirm: confirmed(await findTenant(id), confirm),
        ...(archive ? {} : { archive }),
        ...(values['allow-incomplete'] ? { allowIncomplete: true } : {}),
        ...(dataset === undefined ? {} : { dataset }),
        ...(storage === undefined ? {} : { storage }),
      } as const;
      const message = tenantMessage(content, attributes);
      return wait ? sendAndWait(message, timeoutMs, json) : sendOnly(message, json);
    });
  },
};

/**
 * The confirmation that a removal needs. The function checks it, too: the tenant may be another one by then.
 *
 * @param given undefined: only a dry run is asked for
 * @throws UsageError
 */
function confirmed(tenant: TenantRecord, given: string | undefined): string {
  const needed = confirmationOf(tenant);
  if (given === undefined || given === needed) return needed;
  throw unconfirmed(tenant.tenant, 'is not that of the tenant as it is now');
}

function unconfirmed(id: string, what: string): UsageError {
  return new UsageError(
    `The value of --confirm ${what}. Look at what would be removed, and take it from there: drover tenants show ${id}`,
    { seeHelp: false },
  );
}
