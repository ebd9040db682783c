import { proveOffboarding } from '../shared/postgres/offboard/complete.ts';
import { otherMajors, startMajor } from './majors.ts';

for (const major of otherMajors) proveOffboarding(major, () => startMajor(major));
