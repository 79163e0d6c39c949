/* list-filter.h: which containers a list shows. Inside engine only. */
#pragma once

#include "engine/documents.h"

/* Filters that refer to other objects are looked up once. */
typedef struct ListFilter {
        const Filters *filters;
        char **ancestors;      /* image ids */
        int64_t before, since; /* creation times; 0: none */
        bool shows_all;        /* the filters say which states are wanted */
} ListFilter;

int list_filter_new(Engine *engine, const Filters *filters, ListFilter *ret, Error *err);
void list_filter_done(ListFilter *filter);
bool list_filter_matches(const ListFilter *filter, Container *container,
                         const ContainerSnapshot *snapshot);
