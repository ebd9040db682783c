import { styleText } from 'node:util';
import { classify } from '../../shared/operation/classify.ts';
import { parseArguments, waitingTimeMs } from '../arguments.ts';
import { awaitEach } from '../await-end.ts';
import { publishMessage, withCloud } from '../cloud.ts';
import { type Command, type ExitCode, exitCode, type Options } from '../command.ts';
import { readInstance } from '../grants/place.ts';
import { notice, print } from '../output.ts';
import { toJson } from '../record-json.ts';
import { attributesOf, identify, type Message, messageOptions, waitingOptions } from '../sending.ts';
import { sideBySide } from '../side-by-side.ts';
import { table } from '../table.ts';
import { UsageError } from '../usage-error.ts';
import { noSecrets } from './list.ts';
import { secretMessage } from './message.ts';
import { findSecret, listSecrets, readSecretId } from './record.ts';
import { failedVerdict, type Verdict, verdictOf } from './verdict.ts';

/** Asked for at a time. */
const concurrency = 16;

const colours = {
  works: 'green',
  mended: 'cyan',
  broken: 'red',
  failed: 'red',
  unfinished: 'yellow',
} as const satisfies Record<Verdict['result'], string>;

const options = {
  all: { type: 'boolean', about: 'all secrets that Drover manages' },
  instance: {
    type: 'string',
    placeholder: 'PROJECT:REGION:NAME',
    about: 'all with logins on this instance',
  },
  repair: {
    type: 'boolean',
    about: 'give logins the passwords that the enabled versions have, and disable what can’t be mended',
  },
  actor: messageOptions.actor,
  timeout: { ...waitingOptions.timeout, about: 'how long to wait for all of them (default 120)' },
  json: { type: 'boolean', about: 'print the results as JSON' },
} as const satisfies Options;

/** `drover secrets verify` */
export const verifyCommand: Command = {
  name: 'secrets verify',
  usage: 'SECRET… | --all | --instance PROJECT:REGION:NAME [options]',
  summary: 'try whether credentials work, and mend them',
  description: [
    'Tries every enabled version. A database that was restored or cloned has the passwords of its backup, and the',
    'secrets those of today: verify the instance, and with --repair its logins get today’s.',
    '',
    'Exit codes: 0 all work (or do now); 1 something is broken or could not be verified; 2 unusable arguments;',
    '3 still running when the time was over.',
  ].join('\n'),
  options,
  examples: ['secrets verify billing-db', 'secrets verify --instance acme-dev:europe-west1:main --repair'],
  async run(args) {
    const { values, positionals } = parseArguments(options, args, ['SECRET…']);
    const { all = false, repair = false, json = false } = values;
    const instance = values.instance === undefined ? undefined : readInstance(values.instance);
    const ways = [positionals.length > 0, all, instance !== undefined].filter(Boolean).length;
    if (ways !== 1) throw new UsageError('Give the ids of secrets, --all, or --instance');
    const names = [...new Set(positionals.map(readSecretId))];
    const timeoutMs = waitingTimeMs(values.timeout);
    const messageFor = (secret: string) =>
      secretMessage({ secret, action: 'verify', ...(repair ? { repair } : {}) }, attributesOf(values));
    return withCloud(['Firestore', 'Pub/Sub'], async () => {
      const listed = names.length > 0 ? [] : await listSecrets(instance);
      const secrets = names.length > 0 ? names : listed.map(({ secret }) => secret);
      const asked = secrets.map((secret) => ({ secret, message: messageFor(secret) }));
      const results = await verifyEach(asked, { typed: names.length > 0, timeoutMs });
      if (json) print(toJson(results));
      else if (results.length > 0) print(...resultsTable(results));
      else notice(all ? noSecrets : 'There are no such secrets.');
      return exitCodeOf(results, timeoutMs);
    });
  },
};

interface Asked {
  readonly secret: string;
  readonly message: Message;
}

interface Result extends Verdict {
  readonly secret: string;
  readonly operation: string;
}

/**
 * Verifies secrets. One that can't be asked for keeps no other from it.
 *
 * @param typed the names are not from the registry, and may not be in it
 */
async function verifyEach(
  asked: readonly Asked[],
  { typed, timeoutMs }: { typed: boolean; timeoutMs: number },
): Promise<Result[]> {
  const begun = await sideBySide(asked, concurrency, async ({ secret, message }) => {
    const { id, operationId: operation } = identify(message);
    try {
      if (typed) await findSecret(secret);
      await publishMessage(message.topic, message.data, message.attributes);
      return { secret, operation, id };
    } catch (error) {
      return { secret, operation, id, error: classify(error) };
    }
  });
  const published = begun.filter(({ error }) => error === undefined).map(({ id }) => id);
  const found = await awaitEach(published, timeoutMs);
  const records = new Map(found.map(({ id, record }) => [id, record]));
  return begun.map(({ secret, operation, id, error }) => ({
    secret,
    operation,
    ...(error ? failedVerdict(error) : verdictOf(records.get(id))),
  }));
}

function resultsTable(results: readonly Result[]): string[] {
  return table(
    ['SECRET', 'RESULT', 'OPERATION', 'DETAIL'],
    results.map(({ secret, result, operation, detail }) => [
      secret,
      { text: result, paint: (text) => styleText(colours[result], text) },
      operation,
      detail,
    ]),
  );
}

function exitCodeOf(results: readonly Result[], timeoutMs: number): ExitCode {
  const count = (...wanted: Verdict['result'][]) =>
    results.filter(({ result }) => wanted.includes(result)).length;
  const unfinished = count('unfinished');
  if (unfinished > 0)
    notice(
      `After ${timeoutMs / 1000} s ${unfinished} of ${results.length} have not ended. Look again: drover operations --function rotate-secret`,
    );
  if (count('broken', 'failed') > 0) return exitCode.failed;
  return unfinished > 0 ? exitCode.running : exitCode.done;
}
