import type { Command, Options } from './command.ts';
import { column } from './table.ts';

const help = { help: { type: 'boolean', short: 'h', about: 'this text' } } as const satisfies Options;

/** The help of one command. */
export function commandHelp({ name, usage, summary, description, options, examples }: Command): string {
  return [
    `drover ${name}: ${summary}`,
    '',
    'Usage:',
    `  drover ${name} ${usage}`.trimEnd(),
    ...(description === undefined ? [] : ['', description]),
    '',
    'Options:',
    ...column(optionRows({ ...options, ...help })),
    '',
    'Examples:',
    ...examples.map((example) => `  drover ${example}`),
  ].join('\n');
}

/** The help of the program, or of one group of commands such as `dead-letters`. */
export function overview(commands: readonly Command[], group?: string): string {
  const names = group === undefined ? '' : ` ${group}`;
  return [
    ...(group === undefined
      ? ['drover: send messages to Drover’s functions and see what becomes of them', '']
      : []),
    'Usage:',
    `  drover${names} COMMAND [options]`,
    `  drover${names} COMMAND --help`,
    '',
    'Commands:',
    ...column(
      commands.map(({ name, summary }) => [
        group === undefined ? name : name.slice(group.length + 1),
        summary,
      ]),
    ),
    ...(group === undefined ? ['', ...environmentHelp] : []),
    '',
    'Examples:',
    ...commands.flatMap(({ examples }) => examples.slice(0, 1)).map((example) => `  drover ${example}`),
  ].join('\n');
}

const environmentHelp = [
  'Settings come from the environment: GOOGLE_CLOUD_PROJECT says which project, PUBSUB_EMULATOR_HOST and',
  'FIRESTORE_EMULATOR_HOST lead to the local cloud. Without GOOGLE_CLOUD_PROJECT those of a running `npm start`',
  'are taken, from .drover/local.env. DEBUG=1 shows where an error comes from.',
  '',
  'Exit codes: 0 done or succeeded, 1 failed, 2 unusable arguments or settings, 3 still running.',
];

function optionRows(options: Options): [string, string][] {
  return Object.entries(options).map(([name, { short, placeholder, about }]) => [
    `${short === undefined ? '' : `-${short}, `}--${name}${placeholder === undefined ? '' : ` ${placeholder}`}`,
    about,
  ]);
}
