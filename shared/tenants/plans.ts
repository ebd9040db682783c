import * as z from 'zod';

const limit = z.number().int().min(1).max(1_000_000);

const plan = z.strictObject({
  /** Of a tenant's each login, as `CONNECTION LIMIT`: PostgreSQL enforces it. */
  connections: limit,
  /** The default of the tenant's sessions, which they may change: no limit. */
  statementTimeoutSeconds: z.number().int().min(1).max(86_400),
  /** Operations that the tenant asks for: more in a minute are deferred. */
  operationsPerMinute: limit,
  /** More in a day (UTC) are refused. */
  operationsPerDay: limit,
  /** More at a time are deferred. */
  concurrentOperations: limit,
  /** Days after which tables of the tenant's dataset expire, where they don't say otherwise; without it never. */
  tableExpiryDays: limit.optional(),
  /** What else the plan allows, by name. Drover keeps it with the tenant for whoever enforces it. */
  entitlements: z.record(z.string().regex(/^[a-z][A-Za-z0-9]{0,62}$/), limit).default({}),
});

/** What a tenant gets for its money. */
export type Plan = z.infer<typeof plan>;

/** Limits of one tenant that are other than its plan's. */
export const quotasSchema = z.strictObject({
  ...plan.partial().shape,
  // Without the default: what isn't said stays as the plan has it.
  entitlements: plan.shape.entitlements.unwrap().optional(),
});

export type Quotas = z.infer<typeof quotasSchema>;

/** A plan's limits with those that a tenant has instead; of entitlements each by itself. */
export function withQuotas(limits: Plan, quotas: Quotas = {}): Plan {
  const { entitlements, ...rest } = quotas;
  const given = Object.entries(rest).filter(([, value]) => value !== undefined);
  return {
    ...limits,
    ...Object.fromEntries(given),
    entitlements: { ...limits.entitlements, ...entitlements },
  };
}

const common = { statementTimeoutSeconds: 60, operationsPerMinute: 100 };

export const defaultPlans: Readonly<Record<string, Plan>> = {
  STARTER: {
    ...common,
    connections: 10,
    operationsPerDay: 6,
    concurrentOperations: 3,
    entitlements: { teamMembers: 2, providers: 3 },
  },
  PROFESSIONAL: {
    ...common,
    connections: 25,
    operationsPerDay: 25,
    concurrentOperations: 5,
    entitlements: { teamMembers: 6, providers: 6 },
  },
  SCALE: {
    ...common,
    connections: 50,
    operationsPerDay: 100,
    concurrentOperations: 10,
    entitlements: { teamMembers: 11, providers: 10 },
  },
};

/** Plans by name. What a configuration gives replaces the defaults as a whole. */
export const plansSchema = z.record(z.string().regex(/^[A-Za-z][A-Za-z0-9_-]{0,49}$/), plan);
