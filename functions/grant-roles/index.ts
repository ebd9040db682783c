import { defineOperation } from '../../shared/operation/define.ts';
import { access } from './access.ts';
import limits from './function.json' with { type: 'json' };
import { changeGrants } from './grants.ts';
import { grantRolesMessage } from './message.ts';
import { offboard } from './offboard.ts';

export default defineOperation({
  name: 'grant-roles',
  timeoutSeconds: limits.timeoutSeconds,
  message: grantRolesMessage,
  forTenants: true,
  access,
  run: (message, operation) =>
    message.mode === 'offboard' ? offboard(message, operation) : changeGrants(message, operation),
});
