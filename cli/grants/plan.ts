import { parseArguments } from '../arguments.ts';
import type { Command, Options } from '../command.ts';
import { send } from '../send.ts';
import { UsageError } from '../usage-error.ts';

const options = {
  data: {
    type: 'string',
    placeholder: 'JSON|@FILE|-',
    about: 'a message to grant-roles: as given, from a file, or from standard input',
  },
  timeout: {
    type: 'string',
    placeholder: 'SECONDS',
    default: '120',
    about: 'how long to wait (default 120)',
  },
  json: { type: 'boolean', about: 'print the operation’s record as JSON and nothing else' },
} as const satisfies Options;

/** `drover grants plan`: what a message would change. */
export const planCommand: Command = {
  name: 'grants plan',
  usage: '--data JSON|@FILE|- [options]',
  summary: 'show what a message to grant-roles would change',
  description: [
    'A dry run by the function itself, so that its policy and its rights count and not yours: the exact',
    'statements, and how many grants would be made, taken back and kept. Nothing is changed.',
    '',
    'Exit codes: 0 planned; 1 refused; 2 unusable arguments; 3 still running when the time was over.',
  ].join('\n'),
  options,
  examples: [
    `grants plan --data '{"target":{"instance":"acme-dev:europe-west1:main","database":"app"},"schema":"billing","mode":"exact","grants":[{"principal":"dora","kind":"login","level":"owner"}]}'`,
    'grants plan --data @grants.json --json',
  ],
  async run(args) {
    const { values } = parseArguments(options, args);
    const { data, timeout, json } = values;
    if (data === undefined) throw new UsageError('--data is missing');
    const given = ['--data', data, '--timeout', timeout ?? '120', ...(json ? ['--json'] : [])];
    return send.run(['grant-roles', '--dry-run', '--wait', ...given]);
  },
};
