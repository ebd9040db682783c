import { styleText } from 'node:util';
import type { SecretEvent, SecretRecord } from '../../shared/registry/secrets/model.ts';
import { redact } from '../../shared/telemetry/redact.ts';
import { parseArguments } from '../arguments.ts';
import { withCloud } from '../cloud.ts';
import { type Command, exitCode, type Options } from '../command.ts';
import { timeText } from '../operation-report.ts';
import { print } from '../output.ts';
import { printableLine } from '../printable.ts';
import { toJson } from '../record-json.ts';
import { column } from '../table.ts';
import { paintSecretState } from './list.ts';
import { findSecret, readSecretId } from './record.ts';
import {
  ageText,
  eventText,
  graceOf,
  isOverdue,
  kindText,
  secretState,
  settingText,
  whereText,
} from './state.ts';

const options = {
  json: { type: 'boolean', about: 'print what the registry has of it as JSON, its history too' },
} as const satisfies Options;

/** `drover secrets show` */
export const showSecretCommand: Command = {
  name: 'secrets show',
  usage: 'SECRET [options]',
  summary: 'show everything about one, but no value',
  description: [
    'Its logins and versions, what is due when, what is under way and what came of the last operation. Values are',
    'in Secret Manager only: gcloud secrets versions access current --secret SECRET',
  ].join('\n'),
  options,
  examples: ['secrets show billing-db', 'secrets show billing-db --json'],
  async run(args) {
    const { values, positionals } = parseArguments(options, args, ['SECRET']);
    const name = readSecretId(positionals[0]);
    return withCloud(['Firestore'], async () => {
      const secret = await findSecret(name);
      const now = new Date();
      const state = secretState(secret, now);
      if (values.json) print(toJson({ ...secret, state }));
      else {
        print(
          `${styleText('bold', printableLine(secret.secret))}  ${paintSecretState(state)}`,
          ...column(facts(secret, now).map(([name, text]) => [name, printableLine(text)])),
        );
      }
      return exitCode.done;
    });
  },
};

type Fact = readonly [name: string, text: string];

function facts(secret: SecretRecord, now: Date): Fact[] {
  const { logins, current, previous, rotatedAt, failures, last, open } = secret;
  const rotated = rotatedAt === null ? '' : `, since ${timeText(rotatedAt)} (${ageText(rotatedAt, now)})`;
  return [
    ['kind', kindText(secret)],
    ['where', whereText(secret)],
    ['logins', logins.join(', ') || '-'],
    ['current', current === null ? 'none' : `version ${current}${rotated}`],
    ['previous', previous === null ? 'none' : `version ${previous}`],
    ['grace', graceText(secret, now)],
    ...retirementFact(secret),
    ['policy', policyText(secret)],
    ['next rotation', nextRotationText(secret, now)],
    ...(open === null
      ? []
      : [['under way', `since ${timeText(open.since)}: drover operations ${open.operation}`] as const]),
    ...(failures === 0 ? [] : [['failures', `${failures} in a row`] as const]),
    ['last', last === null ? 'nothing yet' : lastText(last)],
  ];
}

function graceText(secret: SecretRecord, now: Date): string {
  const setting = settingText(secret.graceMinutes);
  const end = graceOf(secret);
  if (end === undefined) return setting;
  return `${setting}, ${end < now ? 'over since' : 'until'} ${timeText(end)}`;
}

function retirementFact({ retiredAt, nextRetirement }: SecretRecord): Fact[] {
  const due = nextRetirement === null ? undefined : timeText(nextRetirement);
  if (retiredAt === null) return due === undefined ? [] : [['retirement', `due ${due}`]];
  const destruction = due === undefined ? '' : `, to be destroyed ${due}`;
  return [['retired', timeText(retiredAt) + destruction]];
}

function policyText({ policy }: SecretRecord): string {
  if (policy === null) return 'none';
  const earlier = policy.jitterDays === 0 ? '' : `, up to ${policy.jitterDays} d earlier`;
  return `every ${policy.everyDays} d${earlier}`;
}

function nextRotationText({ nextRotation }: SecretRecord, now: Date): string {
  if (nextRotation === null) return 'only when asked for';
  return timeText(nextRotation) + (isOverdue({ nextRotation }, now) ? ' (overdue)' : '');
}

function lastText(last: SecretEvent): string {
  const who = last.actor === undefined ? '' : ` by ${last.actor} (as claimed)`;
  const detail = last.detail === undefined ? '' : `; ${redact(last.detail)}`;
  return `${eventText(last)}, at ${timeText(last.at)}${who}${detail}: drover operations ${last.operation}`;
}
