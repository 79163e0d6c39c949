/* policy-fuzz.c: any text as a file of policies: what is read decides without harm, and is written
 * and read again as the same. */
#include "base/str.h"
#include "net/policy-plan.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void plan(const Policy *policies, size_t count) {
        _cleanup_(policy_plan_freep) PolicyPlan *made = policy_plan_new(policies, count, NULL);
        Pair label = { (char *)"app", (char *)"web" };
        const Pairs labels = { &label, 1 };
        const PolicyPod pod = { "default", &labels };
        PolicyClass *class = policy_plan_class(made, &pod);

        for (PolicyDirection d = 0; d < POLICY_DIRECTIONS; d++) {
                const PolicySpans *spans;

                if (policy_plan_spans(made, d, class, AF_INET, &spans, NULL) < 0)
                        continue;
                for (size_t i = 0; i + 1 < spans->count; i++)
                        if (spans->items[i].last.number >= spans->items[i + 1].first.number)
                                abort();
        }
}

static void read_again(const Policy *policy) {
        _cleanup_json_ json_object *once = policy_write(policy), *twice = NULL;
        Policy again = { 0 };
        Error err = { 0 };

        if (policy_read(once, &again, &err) < 0)
                abort();
        twice = policy_write(&again);
        if (!json_object_equal(once, twice))
                abort();
        policy_done(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        Policy *policies;
        size_t count;

        if (policy_parse((const char *)data, size, NULL, &policies, &count, NULL) < 0)
                return 0;
        for (size_t i = 0; i < count; i++)
                read_again(&policies[i]);
        plan(policies, count);
        policies_free(policies, count);
        return 0;
}
