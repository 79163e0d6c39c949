/* filters.h: how the values of list filters are compared. Inside engine only. */
#pragma once

#include "spec/container.h"

/* Each wanted "key" or "key=value" is there; NULL: no such filter. */
bool labels_match(const Pairs *labels, char *const *wanted);
/* Whether text matches one of the wanted regular expressions, as Docker's clients send them; NULL:
 * no such filter. What is no expression is looked for as it is. */
bool text_matches(const char *text, char *const *wanted);
/* "1", "true" …; false too where it is neither. */
bool filter_is_true(const char *text);
bool filter_is_bool(const char *text);
/* Filter `key` ("until"): a time, or how long ago, in *ret (ns since 1970); 0: no such filter. */
int filter_time(const Filters *filters, const char *key, int64_t *ret, Error *err);
/* Filter `key`, one of true and false; `otherwise` where it is not there. */
int filter_bool(const Filters *filters, const char *key, bool otherwise, bool *ret, Error *err);
