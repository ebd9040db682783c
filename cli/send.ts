import { parseArguments, waitingTimeMs } from './arguments.ts';
import { withCloud } from './cloud.ts';
import type { Command, Options } from './command.ts';
import { readData } from './message-data.ts';
import { sendableFunction } from './sendable.ts';
import { attributesOf, messageOptions, messageTo, sendAndWait, sendOnly, waitingOptions } from './sending.ts';
import { UsageError } from './usage-error.ts';

const options = {
  data: {
    type: 'string',
    placeholder: 'JSON|@FILE|-',
    about: 'the message: as given, from a file, or from standard input',
  },
  ...messageOptions,
  revision: { type: 'string', placeholder: 'N', about: 'order among messages about the same thing' },
  wait: { type: 'boolean', about: 'wait until the operation has ended, and report it' },
  ...waitingOptions,
} as const satisfies Options;

/** `drover send`: publishes a message, and on request waits for what becomes of it. */
export const send: Command = {
  name: 'send',
  usage: 'FUNCTION --data JSON|@FILE|- [options]',
  summary: 'publish a message to a function',
  description: [
    'The message is sent as it is: whether it is valid is for the function to say, and is recorded. Sending',
    'the same message with the same --id again is harmless; another message needs another id.',
    '',
    'Prints the operation’s id; with --wait, how it ended. With --json but without --wait only what is known',
    'at once: no worker has made a record yet, so it has no state.',
    '',
    'Exit codes: 0 succeeded, planned or (without --wait) published; 1 failed; 2 unusable arguments; 3 still',
    'running when the time was over.',
  ].join('\n'),
  options,
  examples: [
    `send create-schema --data '{"target":{"instance":"acme-dev:europe-west1:main","database":"app"},"schema":"billing"}' --wait`,
    'send create-schema --data @billing.json --id billing-1 --dry-run --wait --json',
  ],
  async run(args) {
    const { values, positionals } = parseArguments(options, args, ['FUNCTION']);
    const manifest = sendableFunction(positionals[0]);
    const timeoutMs = waitingTimeMs(values.timeout);
    if (values.data === undefined) throw new UsageError('--data is missing');
    const attributes = attributesOf(values);
    const message = messageTo(manifest, await readData(values.data), attributes);
    const json = values.json ?? false;
    return values.wait
      ? withCloud(['Firestore', 'Pub/Sub'], () => sendAndWait(message, timeoutMs, json))
      : withCloud(['Pub/Sub'], () => sendOnly(message, json));
  },
};
