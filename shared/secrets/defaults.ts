import { config } from '../config.ts';
import type { ManagedSecret } from './managed.ts';

/** How a secret is kept that says nothing of it: its rotations are spread over a tenth of their time. */
export function defaultSettings(): Pick<ManagedSecret, 'graceMinutes' | 'policy'> {
  const { DROVER_SECRET_GRACE_HOURS: hours, DROVER_SECRET_ROTATION_DAYS: everyDays } = config();
  const policy = everyDays === 0 ? null : { everyDays, jitterDays: everyDays / 10 };
  return { graceMinutes: hours * 60, policy };
}
