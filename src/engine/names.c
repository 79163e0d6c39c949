/* names.c: names for containers that were given none: two plain words, picked by the kernel's
 * generator. Whether one is taken is the registry's matter. */
#include "base/id.h"
#include "engine/create-parts.h"

/* clang-format off */
static const char *const adjectives[] = {
        "able", "agile", "airy", "alert", "amber", "ample", "apt", "avid", "balmy", "bold", "brave",
        "breezy", "bright", "brisk", "calm", "candid", "chipper", "clever", "cosy", "crisp",
        "curious", "dapper", "daring", "deft", "eager", "earnest", "easy", "elated", "fair",
        "fleet", "fond", "frank", "fresh", "gallant", "gentle", "glad", "gleaming", "golden",
        "grand", "hardy", "hearty", "honest", "humble", "jaunty", "jolly", "jovial", "keen", "kind",
        "lively", "lofty", "loyal", "lucid", "lucky", "mellow", "merry", "mighty", "mild", "modest",
        "neat", "nimble", "noble", "patient", "placid", "plucky", "polite", "prompt", "proud",
        "quick", "quiet", "quirky", "rapid", "ready", "regal", "robust", "rosy", "sage", "serene",
        "sharp", "shiny", "silent", "silver", "sincere", "sleek", "smooth", "snug", "solid", "spry",
        "stable", "steady", "sturdy", "sunny", "swift", "tidy", "tranquil", "trusty", "upbeat",
        "valiant", "vivid", "warm", "wise", "witty", "zesty",
};

static const char *const things[] = {
        "acorn", "adder", "agate", "alder", "alpaca", "anchor", "antler", "apricot", "aspen",
        "aster", "auk", "badger", "bamboo", "banjo", "barley", "basalt", "beacon", "beaver",
        "beech", "birch", "bison", "blackbird", "bluebell", "bobcat", "bonfire", "boulder",
        "bramble", "brook", "buffalo", "bunting", "burdock", "buzzard", "cactus", "canary",
        "canyon", "caribou", "cashew", "cedar", "cello", "chamois", "cheetah", "cherry", "chestnut",
        "cicada", "cinder", "clarinet", "clover", "cobalt", "comet", "condor", "coral", "cormorant",
        "cougar", "cove", "coyote", "crane", "cricket", "crocus", "curlew", "cypress", "daffodil",
        "dahlia", "daisy", "dingo", "dolphin", "dormouse", "dove", "dragonfly", "drum", "dune",
        "eagle", "ebony", "egret", "elder", "elk", "elm", "ember", "ermine", "falcon", "fennel",
        "fern", "ferret", "fig", "finch", "fiord", "firefly", "flamingo", "flint", "flute", "fox",
        "gannet", "garnet", "gazelle", "gecko", "geyser", "gibbon", "ginger", "glacier", "goose",
        "gopher", "granite", "grouse", "gull", "hare", "harp", "harrier", "hawk", "hazel",
        "heather", "hedgehog", "heron", "hickory", "holly", "hornbeam", "hound", "ibex", "ibis",
        "iguana", "iris", "island", "ivy", "jackal", "jackdaw", "jaguar", "jasmine", "jasper",
        "jay", "juniper", "kestrel", "kingfisher", "kite", "kiwi", "koala", "lagoon", "lantern",
        "larch", "lark", "laurel", "lava", "lemur", "leopard", "lichen", "lilac", "lily", "linden",
        "linnet", "lizard", "llama", "lobster", "lotus", "lupin", "lynx", "magnolia", "magpie",
        "mallard", "mango", "maple", "marble", "marlin", "marmot", "marten", "meadow", "meerkat",
        "mole", "moose", "mulberry", "myrtle", "narwhal", "nettle", "newt", "nightjar", "nutmeg",
        "oak", "ocelot", "olive", "onyx", "opal", "orca", "orchid", "oriole", "osprey", "otter",
        "owl", "oyster", "panda", "panther", "papaya", "partridge", "pear", "pebble", "pelican",
        "penguin", "peony", "petrel", "pheasant", "pine", "plover", "plum", "poplar", "poppy",
        "prairie", "puffin", "puma", "quail", "quartz", "quince", "rabbit", "raccoon", "raven",
        "reed", "reef", "river", "robin", "rowan", "saffron", "salmon", "sandpiper", "sapphire",
        "seal", "sequoia", "skylark", "snipe", "sorrel", "sparrow", "spruce", "squirrel",
        "starling", "stork", "sturgeon", "swallow", "swan", "sycamore", "tamarin", "tapir", "teal",
        "tern", "thicket", "thistle", "thrush", "thyme", "tortoise", "toucan", "trout", "tulip",
        "tundra", "turtle", "valley", "viola", "violet", "vole", "walnut", "walrus", "warbler",
        "weasel", "willow", "wolf", "wombat", "woodpecker", "wren", "yak", "yarrow", "yew", "zebra",
        "zinnia",
};
/* clang-format on */

char *name_random(int attempt) {
        unsigned numbers[3];

        random_bytes(numbers, sizeof(numbers));
        const char *adjective = adjectives[numbers[0] % ELEMENTS(adjectives)];
        const char *thing = things[numbers[1] % ELEMENTS(things)];
        if (attempt < 3)
                return str_format("%s_%s", adjective, thing);
        return str_format("%s_%s%u", adjective, thing, numbers[2] % (attempt < 8 ? 10 : 1000000));
}
