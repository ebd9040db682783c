import { isolations } from '../../shared/registry/tenants/model.ts';
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
import { tenantMessage } from './message.ts';
import { findTenant, lookUpTenant, readTenantId } from './record.ts';
import { restoration } from './restoring.ts';

const options = {
  archive: {
    type: 'string',
    placeholder: 'gs://…/manifest.json',
    about: 'what to restore; the default is what was archived when it was removed',
  },
  'display-name': { type: 'string', placeholder: 'NAME', about: 'what people call it' },
  contact: { type: 'string', placeholder: 'EMAIL', about: 'who is written to about it' },
  plan: { type: 'string', placeholder: 'PLAN', about: 'its plan' },
  isolation: {
    type: 'string',
    placeholder: isolations.join('|'),
    about: 'whether it shares a database with others',
  },
  instance: { type: 'string', placeholder: 'PROJECT:REGION:NAME', about: 'where to' },
  database: { type: 'string', placeholder: 'NAME', about: 'the database that it shares, or its own' },
  region: { type: 'string', placeholder: 'LOCATION', about: 'where its dataset is to be' },
  ...messageOptions,
  wait: waitUnlessTold,
  ...waitingOptions,
} as const satisfies Options;

/** `drover tenants restore` */
export const restoreTenantCommand: Command = {
  name: 'tenants restore',
  usage: 'TENANT [options]',
  summary: 'make a tenant that was removed again, with the content of its archive',
  description: [
    'Bootstraps it as it was, but for what the options say: with another credential and another API key. With',
    '--archive and an id that is free it makes a copy; then the options have to say what it is to be.',
    '',
    ...waitingExitCodes,
  ].join('\n'),
  options,
  examples: ['tenants restore acme', 'tenants restore acme --instance acme-dev:europe-west1:spare --dry-run'],
  async run(args) {
    const { values, positionals } = parseArguments(options, args, ['TENANT']);
    const { 'display-name': displayName, wait, json = false } = values;
    const id = readTenantId(positionals[0]);
    const isolation = choiceOption('isolation', values.isolation, isolations);
    const timeoutMs = waitingTimeMs(values.timeout);
    const attributes = attributesOf(values);
    return withCloud(['Firestore', 'Pub/Sub'], async () => {
      // One that the registry doesn't know may be restored, if it is said from what.
      const found = await (values.archive === undefined ? findTenant(id) : lookUpTenant(id));
      const message = tenantMessage(
        restoration(id, found, { ...values, displayName, isolation }),
        attributes,
      );
      return wait ? sendAndWait(message, timeoutMs, json) : sendOnly(message, json);
    });
  },
};
