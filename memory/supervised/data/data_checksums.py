"""Checksums of single files of data sets: a checksum and a name on each line.

A checksum is a SHA-256; after `git:`, the name that git has for the contents; after `members:`, the
SHA-256 of the sorted lines "SHA-256  name" of all that is in a zip file, however it is compressed.
"""

OMNIGLOT = """
ad41ab679c8b5d90b271ef46be6987cc81211774a695c29dcc5367b2b26ee640  images_background.zip
1f61a8f3366785b057fc117d9228e78a16e3d976c8953b2a10fcc74cf0609cee  images_evaluation.zip
"""
OMNIGLOT_RUNS = """
437c1eeab0af8484112e1b4cc0f3d541ec727f7c47b9b202da738af9dfd6c325  all_runs.zip
"""
OMNIGLOT_LICENCE = """
2efb425d9850e7bce985f151dc2ee1f4485e926a3582e08fd879cd28eb0388f5  LICENSE
"""
MNIST = """
440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609  train-images-idx3-ubyte.gz
3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c  train-labels-idx1-ubyte.gz
8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6  t10k-images-idx3-ubyte.gz
f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6  t10k-labels-idx1-ubyte.gz
"""
NLTK_BOOKS = """
0bbe8db0799fcc3bee6a1dedb20d84477519f4e3c99b1f3156e7ce42c8140fab  README
71b0923d75fcf2f1faa897b22da8de8e2476d7478a2b22388eb58a3420e00215  austen-emma.txt
cec097657cbfeb62aafe178973f514fa07ab66a5e28ea025ebd5d51ca870e40f  austen-persuasion.txt
57b169c7cfa502896dee25bd66616f61cc1d21084caf31f015176ee46fda9718  austen-sense.txt
840897a66e23a47dd1fd56b864f421b2be0af074dc081244f7995bf26939eee9  blake-poems.txt
c87f2c50a00055010f02edb6bb643aabe2473465da7f62db43cb4cda1a1c768d  bryant-stories.txt
7d8b1648ffeaa7268819c62852e5653f2f295528411c8c895ce3941581146331  burgess-busterbrown.txt
5ce9042c0d8536b072b61d4c7c4e6d70c72d9dbb5f3d816261326d9280749266  carroll-alice.txt
c6b6d4e8c09a3f49a09f37f4e47663d4d6f048b62d86c70ccafdfd8f27059a58  chesterton-ball.txt
67027976205b4b30e367c704807f56c8ffac3e8ea6037d993e57ab1fe28447ec  chesterton-brown.txt
8b431a2a8db84089cd6f83fa66610c3b12c04114609df6e90137c0c58f2c5493  chesterton-thursday.txt
543b2162782f839b9917b88956acbd7507df37c543286c16c228b36dda0cf950  edgeworth-parents.txt
dc2466ee3c2e6e2ea1f86233d142e4b5578fdc1d6f0ca657bee7572202a980c7  melville-moby_dick.txt
49028a77c557de1459e96c026edbe72997be2d9015925f7baefb793cd6fe706f  milton-paradise.txt
7c46bd32fc84d9596bcad55b61ec3c1a390239acb190b286422855aafc2774b3  shakespeare-caesar.txt
1eceab7027ad7e0cc25c6b6aadcb2e6bb070395cb2085f775ac732d63d5db240  shakespeare-hamlet.txt
d4a204352cfe5924cbae76f764225d120e9f7617d39cb8c949dedd3f306353ac  shakespeare-macbeth.txt
93ebaf1dccc8f1514b4b1c2f52e64e81829113fc58cff63fb51ada0c72f99c3e  whitman-leaves.txt
"""
WIKITEXT_2 = """
ed96062abea03d4f4e8ca80f0caad8b07ec59687b8064319c7ee6f6d900b6286  README
9e9fa1ad55b1c2c95b08e37dd8e653f638fac2c6de904b79e813611eefbc985f  train.txt
f0737ed31fc1329026e95cb8b98e19c2a182c39c240ab909dc31abf2f8af58e8  valid.txt
d790b833ef8cf03a90db7bf1271b7520b83c45ce07ba3c1a9699df81e239eca0  test.txt
"""
TINYSHAKESPEARE = """
86c4e6aa9db7c042ec79f339dcb96d42b0075e16b8fc2e86bf0ca57e2dc565ed  input.txt
"""
UD_ENGLISH_EWT = """
b3d1b0f4c6ae151f7eb78738f46ebd5ee140f8a7f76501ba26af123140d35ae7  LICENSE.txt
099677d6938869b4e855e6ec6548fc24ffeb5fce90e1cd985847f7049664f29e  README.md
531a54ff90d6ab12201c5a50c3e78e6ddac4de69abc4bce5d275d3cd29efe2b6  en_ewt-ud-dev.conllu
e266e515a0a7547657ed3d90d9ba46487d6bd251f27ad4269d4e8a427c8555cd  en_ewt-ud-test.conllu
3fb78e2b55482c8ee00caa653af436c88c9e5bc9a73ce26e4ae3ddc79d2b7e7b  en_ewt-ud-train.conllu
1e1e44c4f97b181fc775b42f819895955db4bbda0eaabee01cb590ccf00e89b4  stats.xml
"""
NLVR = """
2cf54308df8230bd3e9f61c479416445c4775f26dd751906a29f0de170a95adf  README_repo_licence.md
bc3fc9798052bff28a91c49bcd260fb14742dd546f6ad5720fd79eb8f6a53215  README_nlvr.md
git:f61bcfa8c0b0094e9f219cb0994e46775cfba7b5  train.json
0d312c3d7309393c0e36d286c70b884fb276819699e9f8f2bcea2854ad46537b  dev.json
9a337ac016455eebe8aef70a6e94977dbcd9e75aec56f0fb09477a9c1038528d  test.json
d54d7060ea8050fa477fe988d8584af6344b99449648ceeb39b4af8b55b20622  hidden.json
members:999167c296ec37275538cc8247fc54bdcf5c2a5e964cb9c4a971f52b15c0cb0e  images_train_k0.zip
members:bcbf8d726e7dbb5875bde2340502a82d7b5052485136c2142187d96bf424f873  images_dev_all6.zip
members:7bca798ca2b18a8edc57a5c2a8b45a5ac7a3477bab48921787ab2572078d9359  images_test_k0.zip
members:7a4db0b8ac5d154b033d8abe2f7e330743d2c5c5d2ce92fe265524000cf85e98  images_hidden_k0.zip
"""
TATOEBA = """
a2c37762eb7d9a7bf1aa0958bec55f2016ec6aaab6f7c1503822341587df2ba6  spa.txt
3bf2fb9d1ee5082aa4888a06056113f6ff4c20131ed7e91eee437f3e90514197  _about.txt
"""


def rows(table: str) -> dict[str, str]:
    """From names to checksums."""
    pairs = (line.split() for line in table.split("\n") if line)
    return {name: checksum for checksum, name in pairs}
