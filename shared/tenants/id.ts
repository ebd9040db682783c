import * as z from 'zod';

/** What a tenant is called everywhere: part of the names of what it has. */
export const tenantId = z.string().regex(/^[a-z0-9_]{3,50}$/, { error: 'must be 3 to 50 of a-z, 0-9 and _' });
