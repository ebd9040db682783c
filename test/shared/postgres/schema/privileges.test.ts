import { provePrivileges } from '../../../compat/matrix.ts';
import { startPrepared } from '../../../support/postgres.ts';

provePrivileges(18, () => startPrepared());
