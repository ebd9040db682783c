import type { StepRecord } from '../../shared/registry/tenants/model.ts';
import { parseArguments } from '../arguments.ts';
import { withCloud } from '../cloud.ts';
import { type Command, exitCode, type Options } from '../command.ts';
import { durationText, timeText } from '../operation-report.ts';
import { notice, print } from '../output.ts';
import { toJson } from '../record-json.ts';
import { table } from '../table.ts';
import { stepJson } from './json.ts';
import { findTenant, readTenantId, stepsOf } from './record.ts';
import { paintStepState, reasonText } from './state.ts';

const options = {
  json: { type: 'boolean', about: 'print the records of the steps as JSON' },
} as const satisfies Options;

/** `drover tenants steps` */
export const tenantStepsCommand: Command = {
  name: 'tenants steps',
  usage: 'TENANT [options]',
  summary: 'show what its bootstrap or removal has done, and what is left to do',
  description: [
    'Each step with its last attempt. ATTEMPTS are those of OPERATION; where it is `running`, DURATION is how long',
    'it has been so far. What is `compensated` was made and taken back.',
  ].join('\n'),
  options,
  examples: ['tenants steps acme', 'tenants steps acme --json'],
  async run(args) {
    const { values, positionals } = parseArguments(options, args, ['TENANT']);
    const id = readTenantId(positionals[0]);
    return withCloud(['Firestore'], async () => {
      await findTenant(id);
      const steps = await stepsOf(id);
      if (values.json) print(toJson(steps.map(stepJson)));
      else if (steps.length === 0) notice('The registry has no steps of it.');
      else print(...stepsTable(steps, new Date()));
      return exitCode.done;
    });
  },
};

function stepsTable(steps: readonly StepRecord[], now: Date): string[] {
  return table(
    ['STEP', 'STATE', 'ATTEMPTS', 'STARTED', 'DURATION', 'OPERATION', 'REASON'],
    steps.map((step) => [
      step.step,
      { text: step.state, paint: (text) => paintStepState(step.state, text) },
      String(step.attempts),
      step.startedAt === null ? '-' : timeText(step.startedAt),
      attemptText(step, now),
      step.operation,
      step.reason === null ? '' : reasonText(step.reason),
    ]),
  );
}

/** How long the last attempt took. */
function attemptText({ state, startedAt, finishedAt }: StepRecord, now: Date): string {
  const end = state === 'running' ? now : finishedAt;
  // What was taken back finished by that, whenever it was.
  if (startedAt === null || end === null || state === 'compensated') return '-';
  return durationText(Math.max(0, end.getTime() - startedAt.getTime()));
}
