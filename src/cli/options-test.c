/* options-test.c: command lines as pflag reads them. */
#include "base/test.h"
#include "cli/options.h"

typedef struct Values {
        bool all, tty;
        char *name, **env, **list, **filters, **labels;
        int64_t count, memory, swap, cpus, wait;
        Pairs map;
} Values;

static const Option rows[] = {
        { "all", 'a', OPTION_BOOL, offsetof(Values, all), "All" },
        { "tty", 't', OPTION_BOOL, offsetof(Values, tty), "Terminal" },
        { "name", 'n', OPTION_STRING, offsetof(Values, name), "Name" },
        { "env", 'e', OPTION_ENV, offsetof(Values, env), "Variables" },
        { "list", 0, OPTION_STRINGS, offsetof(Values, list), "Texts" },
        { "filter", 'f', OPTION_FILTER, offsetof(Values, filters), "Filters" },
        { "label", 'l', OPTION_LABEL, offsetof(Values, labels), "Labels" },
        { "count", 'c', OPTION_INT, offsetof(Values, count), "Number" },
        { "memory", 'm', OPTION_BYTES, offsetof(Values, memory), "Bytes" },
        { "swap", 0, OPTION_SWAP, offsetof(Values, swap), "Bytes or -1" },
        { "cpus", 0, OPTION_CPUS, offsetof(Values, cpus), "Processors" },
        { "wait", 0, OPTION_DURATION, offsetof(Values, wait), "Time" },
        { "map", 'o', OPTION_MAP, offsetof(Values, map), "Pairs" },
        { .name = "gpus", .type = OPTION_LIST, .help = "GPUs", .flags = OPTION_REFUSED },
};
static const OptionTable table = { rows, ELEMENTS(rows), sizeof(Values) };

#define WORDS(...) ((char *[]){ __VA_ARGS__, NULL })

static int parse(char **words, bool interspersed, Values *values, Options *options, Error *err) {
        *values = (Values){};
        *options = (Options){ .values = values };
        return options_parse(&table, words, interspersed, options, err);
}

static const char *failure(char **words) {
        static Error err;
        Values values;
        Options options;
        int r;

        err = (Error){};
        r = parse(words, true, &values, &options, &err);
        options_done(&options);
        return r < 0 ? err.message : "(none)";
}

TEST(clusters_and_values) {
        Values v;
        Options o;
        Error err = {};

        ASSERT_OK(parse(WORDS((char *)"-at", (char *)"-nfoo", (char *)"-c=3", (char *)"x"), true,
                        &v, &o, &err),
                  &err);
        ASSERT(v.all && v.tty);
        ASSERT_STR(v.name, "foo");
        ASSERT_INT(v.count, 3);
        ASSERT_INT(o.count, 1);
        ASSERT(options_given(&o, "all") && !options_given(&o, "env"));
        options_done(&o);
}

TEST(long_forms) {
        Values v;
        Options o;
        Error err = {};

        ASSERT_OK(parse(WORDS((char *)"--all=false", (char *)"--name", (char *)"a",
                              (char *)"--name=b=c", (char *)"--list=x,y", (char *)"--list",
                              (char *)"z"),
                        true, &v, &o, &err),
                  &err);
        ASSERT(!v.all && options_given(&o, "all"));
        ASSERT_STR(v.name, "b=c");
        ASSERT_INT(strv_length(v.list), 3);
        options_done(&o);
}

TEST(interspersed_or_not) {
        Values v;
        Options o;
        Error err = {};
        char **words = WORDS((char *)"image", (char *)"-a", (char *)"--x");

        ASSERT_OK(parse(words, false, &v, &o, &err), &err);
        ASSERT_INT(o.count, 3);
        ASSERT(!v.all);
        options_done(&o);
        ASSERT_OK(parse(WORDS((char *)"image", (char *)"-a", (char *)"--", (char *)"-t"), true, &v,
                        &o, &err),
                  &err);
        ASSERT_INT(o.count, 2);
        ASSERT(v.all && !v.tty);
        options_done(&o);
}

TEST(values_of_each_kind) {
        Values v;
        Options o;
        Error err = {};

        ASSERT_OK(parse(WORDS((char *)"-m", (char *)"512m", (char *)"--swap=-1",
                              (char *)"--cpus=1.5", (char *)"--wait=1m30s", (char *)"-o",
                              (char *)"a=b=c", (char *)"-f", (char *)"Name = x ", (char *)"-e",
                              (char *)"A", (char *)"-l", (char *)"k=v"),
                        true, &v, &o, &err),
                  &err);
        ASSERT_INT(v.memory, 512 << 20);
        ASSERT_INT(v.swap, -1);
        ASSERT_INT(v.cpus, 1500000000);
        ASSERT_INT(v.wait, 90000000000);
        ASSERT_STR(pairs_get(&v.map, "a"), "b=c");
        ASSERT_STR(v.filters[0], "name=x");
        options_done(&o);
}

TEST(errors_in_words_of_pflag) {
        ASSERT_STR(failure(WORDS((char *)"--foo")), "unknown flag: --foo");
        ASSERT_STR(failure(WORDS((char *)"-z")), "unknown shorthand flag: 'z' in -z");
        ASSERT_STR(failure(WORDS((char *)"-az")), "unknown shorthand flag: 'z' in -z");
        ASSERT_STR(failure(WORDS((char *)"--name")), "flag needs an argument: --name");
        ASSERT_STR(failure(WORDS((char *)"-n")), "flag needs an argument: 'n' in -n");
        ASSERT_STR(failure(WORDS((char *)"--=x")), "bad flag syntax: --=x");
        ASSERT_STR(failure(WORDS((char *)"---x")), "bad flag syntax: ---x");
        ASSERT_STR(failure(WORDS((char *)"-m", (char *)"x")),
                   "invalid argument \"x\" for \"-m, --memory\" flag: invalid size: 'x'");
        ASSERT_STR(failure(WORDS((char *)"--all=x")),
                   "invalid argument \"x\" for \"-a, --all\" flag: strconv.ParseBool: parsing "
                   "\"x\": invalid syntax");
        ASSERT_STR(failure(WORDS((char *)"-c", (char *)"9999999999999999999")),
                   "invalid argument \"9999999999999999999\" for \"-c, --count\" flag: "
                   "strconv.ParseInt: parsing \"9999999999999999999\": value out of range");
        ASSERT_STR(failure(WORDS((char *)"--nmae=x")),
                   "unknown flag: --nmae\nDid you mean '--name'?");
        ASSERT_STR(failure(WORDS((char *)"--hlep")),
                   "unknown flag: --hlep\nDid you mean '--help'?");
}

TEST(an_option_not_done_is_named) {
        Values v;
        Options o;
        Error err = {};

        ASSERT(parse(WORDS((char *)"--gpus=all"), true, &v, &o, &err) < 0);
        ASSERT_INT(err.kind, ERROR_UNSUPPORTED);
        ASSERT(strstr(err.message, "--gpus"));
        options_done(&o);
}

TEST(help_stops) {
        Values v;
        Options o;
        Error err = {};

        ASSERT_OK(parse(WORDS((char *)"-h", (char *)"--foo"), true, &v, &o, &err), &err);
        ASSERT(o.help);
        options_done(&o);
}

TEST_MAIN()
