import { startPrepared } from '../support/postgres.ts';
import { otherMajors, startMajor } from './majors.ts';
import { provePrivileges } from './matrix.ts';

for (const major of otherMajors) provePrivileges(major, () => startMajor(major));

provePrivileges(18, () => startPrepared());
