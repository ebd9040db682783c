import { styleText } from 'node:util';
import { numberOption, parseArguments } from '../arguments.ts';
import { withCloud } from '../cloud.ts';
import { type Command, exitCode, type Options } from '../command.ts';
import { readInstance } from '../grants/place.ts';
import { timeText } from '../operation-report.ts';
import { notice, print } from '../output.ts';
import { toJson } from '../record-json.ts';
import { table } from '../table.ts';
import { listSecrets } from './record.ts';
import {
  ageText,
  eventText,
  isFailing,
  isOverdue,
  kindText,
  type SecretState,
  type SecretSummary,
  secretState,
  whereText,
} from './state.ts';

const colours = {
  rotating: 'blue',
  failing: 'red',
  empty: 'red',
  overdue: 'yellow',
  retiring: 'cyan',
  ok: 'green',
} as const satisfies Record<SecretState, string>;

const options = {
  instance: {
    type: 'string',
    placeholder: 'PROJECT:REGION:NAME',
    about: 'only those with logins on this instance',
  },
  due: { type: 'boolean', about: 'only those that should have been rotated' },
  failed: { type: 'boolean', about: 'only those with failures since the last success' },
  limit: { type: 'string', placeholder: 'N', default: '100', about: 'how many to list (default 100)' },
  json: { type: 'boolean', about: 'print the list as JSON, without the histories' },
} as const satisfies Options;

/** `drover secrets list` */
export const listSecretsCommand: Command = {
  name: 'secrets list',
  usage: '[options]',
  summary: 'list the secrets that Drover manages',
  description: [
    'By name, as the registry has them. STATE is `rotating`, `failing` (what was tried since the last success',
    'failed), `empty` (no credential yet), `overdue`, `retiring` (the former credential still works) or `ok`; AGE',
    'is the current credential’s, DUE when it will be rotated by itself.',
  ].join('\n'),
  options,
  examples: ['secrets list --due', 'secrets list --instance acme-dev:europe-west1:main --failed --json'],
  async run(args) {
    const { values } = parseArguments(options, args);
    const { due = false, failed = false } = values;
    const limit = numberOption('limit', values.limit, { least: 1, most: 10_000, whole: true });
    const instance = values.instance === undefined ? undefined : readInstance(values.instance);
    return withCloud(['Firestore'], async () => {
      const now = new Date();
      const found = await listSecrets(
        instance,
        limit + 1,
        (secret) => (!due || isOverdue(secret, now)) && (!failed || isFailing(secret)),
      );
      const secrets = found.slice(0, limit);
      if (values.json)
        print(toJson(secrets.map((secret) => ({ ...secret, state: secretState(secret, now) }))));
      else if (secrets.length > 0) print(...secretsTable(secrets, now));
      else notice(due || failed || instance !== undefined ? 'There are no such secrets.' : noSecrets);
      if (found.length > limit) notice(`There are more than ${limit}; --limit lists more.`);
      return exitCode.done;
    });
  },
};

/** What to do where Drover manages no secret. */
export const noSecrets =
  'Drover manages no secrets yet. Send rotate-secret with the action create, or adopt for one that is there:\n' +
  `  drover send rotate-secret --wait --data '{"secret":"billing-db","action":"adopt", …}'`;

/** A state in its colour, on a terminal. */
export function paintSecretState(state: SecretState, text: string = state): string {
  return styleText(colours[state], text);
}

function secretsTable(secrets: readonly SecretSummary[], now: Date): string[] {
  return table(
    ['SECRET', 'KIND', 'WHERE', 'STATE', 'AGE', 'DUE', 'LAST'],
    secrets.map((secret) => {
      const { rotatedAt, nextRotation, last } = secret;
      const state = secretState(secret, now);
      return [
        secret.secret,
        kindText(secret),
        whereText(secret),
        { text: state, paint: (text) => paintSecretState(state, text) },
        rotatedAt === null ? '-' : ageText(rotatedAt, now),
        nextRotation === null ? '-' : timeText(nextRotation),
        last === null ? '-' : eventText(last),
      ];
    }),
  );
}
