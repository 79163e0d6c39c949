/* netlink-test.c: what the readers of rtnetlink and nfnetlink make of answers that a kernel gives
 * seldom. The kernel is a socket of the test's. */
#include <arpa/inet.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nfnetlink.h>
#include <sys/socket.h>

#include "base/test.h"
#include "os/nfnetlink.h"
#include "os/rtnetlink.h"

/* Ours, and the one that is given away. */
static int make_pair(int *ret_theirs) {
        int pair[2];

        if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) < 0)
                return -1;
        *ret_theirs = pair[1];
        return pair[0];
}

static bool say(int fd, uint16_t type, uint16_t flags, uint32_t sequence, const void *payload,
                size_t length) {
        _Alignas(struct nlmsghdr) char data[256];
        struct nlmsghdr *header = mnl_nlmsg_put_header(data);

        header->nlmsg_type = type;
        header->nlmsg_flags = flags;
        header->nlmsg_seq = sequence;
        if (length > 0)
                memcpy(mnl_nlmsg_put_extra_header(header, length), payload, length);
        return send(fd, data, header->nlmsg_len, 0) == (ssize_t)header->nlmsg_len;
}

static bool say_error(int fd, uint32_t sequence, int number) {
        struct nlmsgerr error = { .error = -number };

        return say(fd, NLMSG_ERROR, 0, sequence, &error, sizeof(error));
}

static size_t count_requests(int fd) {
        char data[4096];
        size_t count = 0;

        while (recv(fd, data, sizeof(data), 0) > 0)
                count++;
        return count;
}

static void count_links(void *data, const RtnlLink *link) {
        *(size_t *)data += link->index == 7;
}

/* ---- rtnetlink: the first list has number 2, the next one 4 ---- */

TEST(an_interrupted_list_is_asked_for_again) {
        _cleanup_(rtnl_closep) Rtnl *rtnl = NULL;
        _cleanup_close_ int kernel = -1;
        struct ifinfomsg link = { .ifi_index = 7 };
        int theirs = -1, zero = 0;
        size_t found = 0;
        Error err = {};

        kernel = make_pair(&theirs);
        rtnl = rtnl_adopt(theirs);
        ASSERT(say(kernel, NLMSG_DONE, NLM_F_MULTI | NLM_F_DUMP_INTR, 2, &zero, sizeof(zero)));
        ASSERT(say(kernel, RTM_NEWLINK, NLM_F_MULTI, 4, &link, sizeof(link)));
        ASSERT(say(kernel, NLMSG_DONE, NLM_F_MULTI, 4, &zero, sizeof(zero)));
        ASSERT_OK(rtnl_each_link(rtnl, count_links, &found, &err), &err);
        ASSERT_INT(found, 1);
        ASSERT_INT(count_requests(kernel), 2);
}

/* A list that the kernel gives up ends with the reason. */
TEST(a_list_that_fails_at_its_end) {
        _cleanup_(rtnl_closep) Rtnl *rtnl = NULL;
        _cleanup_close_ int kernel = -1;
        int theirs = -1, number = -EMSGSIZE;
        size_t found = 0;
        Error err = {};

        kernel = make_pair(&theirs);
        rtnl = rtnl_adopt(theirs);
        ASSERT(say(kernel, NLMSG_DONE, NLM_F_MULTI, 2, &number, sizeof(number)));
        ASSERT_INT(rtnl_each_link(rtnl, count_links, &found, &err), -EMSGSIZE);
}

TEST(an_error_without_a_number) {
        _cleanup_(rtnl_closep) Rtnl *rtnl = NULL;
        _cleanup_close_ int kernel = -1;
        int theirs = -1;
        size_t found = 0;
        Error err = {};

        kernel = make_pair(&theirs);
        rtnl = rtnl_adopt(theirs);
        ASSERT(say(kernel, NLMSG_ERROR, 0, 2, NULL, 0));
        ASSERT_INT(rtnl_each_link(rtnl, count_links, &found, &err), -EBADMSG);
}

/* Of another number is somebody else's: here the questions have the numbers from 1 on. */
TEST(a_link_is_there_not_there_or_cannot_be_asked_for) {
        _cleanup_(rtnl_closep) Rtnl *rtnl = NULL;
        _cleanup_close_ int kernel = -1;
        struct ifinfomsg link = { .ifi_index = 7 };
        int theirs = -1;
        Error err = {};

        kernel = make_pair(&theirs);
        rtnl = rtnl_adopt(theirs);
        ASSERT(say(kernel, RTM_NEWLINK, 0, 7, &link, sizeof(link)) && say_error(kernel, 1, ENODEV));
        ASSERT_INT(rtnl_exists(rtnl, "none0", &err), 0);
        ASSERT(say_error(kernel, 7, ENODEV) && say(kernel, RTM_NEWLINK, 0, 2, &link, sizeof(link)));
        ASSERT_INT(rtnl_exists(rtnl, "eth0", &err), 1);
        ASSERT(say_error(kernel, 3, ENOBUFS));
        ASSERT_INT(rtnl_exists(rtnl, "eth0", &err), -ENOBUFS);
        ASSERT(strstr(err.message, "look for a link 'eth0'"));
        ASSERT_INT(rtnl_exists(rtnl, "eth0", &err), -EAGAIN); /* no answer */
}

static void ignore_address(void *data, const RtnlAddress *address) {
}

static void ignore_route(void *data, const RtnlRoute *route) {
}

/* The kernel reads what is beyond the header as attributes, and says so in its log. */
TEST(a_question_has_its_own_header) {
        static const size_t sizes[] = { sizeof(struct ifinfomsg), sizeof(struct ifaddrmsg),
                                        sizeof(struct rtmsg) };
        _cleanup_(rtnl_closep) Rtnl *rtnl = NULL;
        _cleanup_close_ int kernel = -1;
        int theirs = -1, zero = 0;
        size_t found = 0;
        char data[4096];
        Error err = {};

        kernel = make_pair(&theirs);
        rtnl = rtnl_adopt(theirs);
        for (uint32_t sequence = 2; sequence <= 6; sequence += 2)
                ASSERT(say(kernel, NLMSG_DONE, NLM_F_MULTI, sequence, &zero, sizeof(zero)));
        ASSERT_OK(rtnl_each_link(rtnl, count_links, &found, &err), &err);
        ASSERT_OK(rtnl_each_address(rtnl, ignore_address, NULL, &err), &err);
        ASSERT_OK(rtnl_each_route(rtnl, ignore_route, NULL, &err), &err);
        for (size_t i = 0; i < ELEMENTS(sizes); i++)
                ASSERT_INT(recv(kernel, data, sizeof(data), 0), NLMSG_LENGTH(sizes[i]));
}

/* ---- nfnetlink: a batch's beginning has number 1, its one message 2, its end 3 ---- */

TEST(a_stale_error_is_no_answer) {
        _cleanup_(nft_closep) Nft *nft = NULL;
        _cleanup_close_ int kernel = -1;
        int theirs = -1;
        Error err = {};

        kernel = make_pair(&theirs);
        nft = nft_adopt(NFPROTO_INET, "test", theirs);
        ASSERT(say_error(kernel, 1000, EEXIST));
        ASSERT(say_error(kernel, 2, 0));
        nft_put_table(nft);
        ASSERT_OK(nft_commit(nft, &err), &err);
        ASSERT(say_error(kernel, 5, EEXIST));
        nft_put_table(nft);
        ASSERT_INT(nft_commit(nft, &err), -EEXIST);
        ASSERT_STR(err.message, "nftables: table 'test': File exists");
}

TEST(a_stale_answer_is_no_chain) {
        _cleanup_(nft_closep) Nft *nft = NULL;
        _cleanup_close_ int kernel = -1;
        int theirs = -1;
        bool has = true;
        Error err = {};

        kernel = make_pair(&theirs);
        nft = nft_adopt(NFPROTO_INET, "test", theirs);
        ASSERT(say(kernel, NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_NEWCHAIN, 0, 1000, NULL, 0));
        ASSERT(say_error(kernel, 1, ENOENT));
        ASSERT_OK(nft_has_chain(nft, "c", &has, &err), &err);
        ASSERT(!has);
}

TEST_MAIN()
