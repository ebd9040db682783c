import { proveActing } from '../shared/grants/acting.ts';
import { otherMajors, startMajor } from './majors.ts';

for (const major of otherMajors) proveActing(major, () => startMajor(major));
