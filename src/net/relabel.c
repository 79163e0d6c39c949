/* relabel.c: other labels for a container that is on networks: what policies see it as. Policing
 * judges; the record is the caller's. */
#include "base/log.h"
#include "net/state.h"

/* A member, and what it is to be seen as; after the exchange, what it was. */
typedef struct Guise {
        Member *member;
        char *namespace;
        Pairs labels;
} Guise;

typedef struct Guises {
        Guise *items;
        size_t count;
} Guises;

static void gather_guises(const Net *net, const char *container_id, const char *namespace,
                          const Pairs *labels, Guises *to) {
        const char *id;
        Network *network;

        MAP_EACH(&net->networks, id, network) {
                Member *member = map_get(&network->members, container_id);

                if (!member)
                        continue;
                GROW(to->items, to->count);
                to->items[to->count] = (Guise){ member, str_copy(namespace), { 0 } };
                pairs_copy(&to->items[to->count++].labels, labels);
        }
}

static void exchange_guises(const Guises *guises) {
        for (size_t i = 0; i < guises->count; i++) {
                Guise *guise = &guises->items[i];
                const Guise other = *guise;

                guise->namespace = other.member->namespace;
                guise->labels = other.member->labels;
                other.member->namespace = other.namespace;
                other.member->labels = other.labels;
        }
}

static void guises_done(Guises *guises) {
        for (size_t i = 0; i < guises->count; i++) {
                free(guises->items[i].namespace);
                pairs_done(&guises->items[i].labels);
        }
        free(guises->items);
}

static int judge_anew(Net *net, const Guises *guises, Error *err) {
        int r = 0;

        for (size_t i = 0; r == 0 && i < guises->count; i++)
                if (guises->items[i].member->joined)
                        r = policing_check(net, guises->items[i].member, err);
        return r < 0 ? r : policing_change(net, err);
}

static int relabel(Net *net, const Guises *guises, Error *err) {
        Error why = { 0 };
        int r;

        exchange_guises(guises);
        if (!policing_is_on(&net->policing))
                return 0;
        r = judge_anew(net, guises, err);
        if (r == 0)
                r = policing_sweep(net, err);
        if (r == 0)
                return 0;
        exchange_guises(guises);
        if (judge_anew(net, guises, &why) < 0 || policing_sweep(net, &why) < 0)
                log_error("go back to the labels before: %s", why.message);
        return r;
}

int net_relabel(Net *net, const char *container_id, const char *namespace, const Pairs *labels,
                Error *err) {
        Guises guises = { 0 };
        int r = 0;

        net_lock(net);
        gather_guises(net, container_id, namespace, labels, &guises);
        if (guises.count > 0)
                r = relabel(net, &guises, err);
        net_unlock(net);
        guises_done(&guises);
        return r;
}
