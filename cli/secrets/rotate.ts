import { parseArguments, waitingTimeMs } from '../arguments.ts';
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
import { secretMessage } from './message.ts';
import { findSecret, readSecretId } from './record.ts';

const options = {
  force: {
    type: 'boolean',
    about: 'also within the grace period, and while the login to be changed is in use: breaks who uses it',
  },
  ...messageOptions,
  wait: waitUnlessTold,
  ...waitingOptions,
} as const satisfies Options;

/** `drover secrets rotate` */
export const rotateCommand: Command = {
  name: 'secrets rotate',
  usage: 'SECRET [options]',
  summary: 'replace a credential by another one',
  description: [
    'Asks for it and waits for the end. The former credential goes on working for the secret’s grace period.',
    '',
    ...waitingExitCodes,
  ].join('\n'),
  options,
  examples: ['secrets rotate billing-db', 'secrets rotate billing-db --dry-run'],
  async run(args) {
    const { values, positionals } = parseArguments(options, args, ['SECRET']);
    const { force = false, wait, json = false } = values;
    const secret = readSecretId(positionals[0]);
    const timeoutMs = waitingTimeMs(values.timeout);
    const message = secretMessage({ secret, ...(force ? { force } : {}) }, attributesOf(values));
    return withCloud(['Firestore', 'Pub/Sub'], async () => {
      await findSecret(secret);
      return wait ? sendAndWait(message, timeoutMs, json) : sendOnly(message, json);
    });
  },
};
