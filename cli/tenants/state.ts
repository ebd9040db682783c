import { styleText } from 'node:util';
import type { Reason, StepState, TenantRecord, TenantState } from '../../shared/registry/tenants/model.ts';
import { redact } from '../../shared/telemetry/redact.ts';

const tenantColours = {
  bootstrapping: 'blue',
  active: 'green',
  compensating: 'yellow',
  failed: 'red',
  removing: 'blue',
  removed: 'gray',
} as const satisfies Record<TenantState, string>;

const stepColours = {
  pending: 'gray',
  running: 'blue',
  done: 'green',
  skipped: 'gray',
  failed: 'red',
  compensated: 'yellow',
} as const satisfies Record<StepState, string>;

export const tenantStates = Object.keys(tenantColours) as readonly TenantState[];

/** A state in its colour, on a terminal. */
export function paintTenantState(state: TenantState, text: string = state): string {
  return styleText(tenantColours[state], text);
}

/** Likewise the state of a step. */
export function paintStepState(state: StepState, text: string = state): string {
  return styleText(stepColours[state], text);
}

/** `dataset: GOOGLE_PERMISSION_DENIED`, for a table. */
export function failureText({ failure }: Pick<TenantRecord, 'failure'>): string {
  if (failure === null) return '';
  return failure.step ? `${failure.step}: ${failure.code}` : failure.code;
}

/** Messages come from everywhere: secrets are taken out of them once more, as from every event. */
export function reasonText({ code, message }: Reason): string {
  return `${code}: ${redact(message)}`;
}
